"""Engines that run a bundle's model: choosing, checking, building and measuring them."""
