"""A frozen repository of every format that was ever released: each later version reads them all."""
