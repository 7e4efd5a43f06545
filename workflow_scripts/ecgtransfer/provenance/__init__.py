"""What every artefact was made from: records of results, and how they compare with the current config and files."""
