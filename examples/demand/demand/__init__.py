"""How many pieces of a product will be sold on a day: the example project of Lockgate."""
