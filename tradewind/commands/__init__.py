"""What the commands of the command line share: ranks, consoles, and what to do when something fails."""
