"""Model time: calendars, clocks, alarms, the sequence of steps, and when exchanges take and give."""
