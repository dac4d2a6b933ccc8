"""Role schemes and tensor product decomposition (McCoy et al. 2019)."""
