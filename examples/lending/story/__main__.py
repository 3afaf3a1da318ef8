from story import servers, people
from story.terminal import *
people.introduce()
with servers.running() as a:
    command("deliver", expect=(0,1,3))
    input() if __import__("sys").stdin.isatty() else None
