"""Somebody else's swarm, watched and never changed: every call to it is a GET.

Nothing of the private lab is needed here, and neither root nor any program but, for an address that
begins with ssh://, ssh itself.
"""
