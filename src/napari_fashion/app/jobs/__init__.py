"""What runs beside a window: in threads, or in a process of its own."""
