"""Views: derived variables in a separate store, over a base collection that is never written to."""
