"""Loss landscapes: values of objectives on planes through the space of angles, and how smooth."""
