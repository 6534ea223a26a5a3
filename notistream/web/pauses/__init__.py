"""HTTP of pauses: operators hold a channel or a provider back."""
