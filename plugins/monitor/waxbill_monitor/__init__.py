"""Memory readings of the whole process tree for waxbill."""
