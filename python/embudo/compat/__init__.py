"""TDengine's official packages on this one: same names, signatures, value types and errors. Every quirk of theirs stands here."""
