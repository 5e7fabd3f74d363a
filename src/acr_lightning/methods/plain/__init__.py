"""The plain CAM (Zhou et al., CVPR 2016): classification alone."""
