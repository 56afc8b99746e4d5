"""What carries checked requests to the providers, and their answers back."""
