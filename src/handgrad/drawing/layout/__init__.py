"""Where boxes, edges and words of a figure stand, before any ink."""
