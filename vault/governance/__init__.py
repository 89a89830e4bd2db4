"""The rules of who may do what: a request goes in, a decision with its reasons comes out. Pure."""
