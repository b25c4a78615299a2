"""The figures of a report. Each module draws one of them from the data that it is given."""
