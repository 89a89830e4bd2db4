"""Sources of data; each folder is one provider."""
