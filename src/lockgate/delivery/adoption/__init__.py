"""Projects of other tools become projects of Lockgate."""
