"""The expression language of filters and conditions, evaluated on partition keys, on rows and on statistics of zones."""
