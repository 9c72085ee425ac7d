"""Readers of the native formats, one module each: `read(folder, splits) -> People`, of the splits asked for."""
