"""The foundation of compiled code: vectors of eight doubles, and how kernels are compiled."""
