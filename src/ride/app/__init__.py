"""The web page, for one's own machine: inpainting, textures and likelihoods with a mouse."""
