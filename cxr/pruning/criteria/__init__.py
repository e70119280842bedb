"""criteria: one file per way to rank the channels of a group; the file name is the word in params.yaml."""
