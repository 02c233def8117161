"""Reading observations from files, and leaving out what cannot be used."""
