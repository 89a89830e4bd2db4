"""The collector: deletes stored objects that have lapsed and that signed policy does not want."""
