"""The benchmark of trunkline beside other proxies: bench/compare is its command line."""
