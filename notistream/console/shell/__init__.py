"""What every page of the console shares: layout, sessions, rendering, formats, charts."""
