"""The data port and the admin port: bytes in, bytes out, in the order of a flow's life."""
