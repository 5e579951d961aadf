"""What a training run minimises: supervised, C2VL, SkeletonCLR, slim."""
