"""The other systems of the paper's tables: densities of patches, trained and scored like ours."""
