"""What only looks at runs, data sets, files and this machine: nothing here belongs to a stage."""
