"""The operator's loop: observe -> plan -> limit -> apply -> report."""
