"""What builds the documentation site besides MkDocs: its hooks, the pages of commands and the map of packages."""
