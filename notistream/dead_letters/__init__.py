"""Dead letters: look at them, replay or delete them; replays of topics and of time ranges."""
