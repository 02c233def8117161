"""A bucket that rain fills and that leaks, as a component of `plugin: function`."""


def fill(imports, state, parameters, interval):
    """Rain fills a bucket that leaks."""
    kept = 1.0 - interval.seconds / parameters["lifetime"]
    water = kept[:, None] * state["water"] + interval.seconds * imports["rain"]
    return {"water": water}, {"water": water}
