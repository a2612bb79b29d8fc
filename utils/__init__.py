"""What the notebooks of the course share: data, plotting, inference, checks, device."""
