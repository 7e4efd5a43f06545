"""What every artefact was made of: records beside results, and what they say of the config and the files of now."""
