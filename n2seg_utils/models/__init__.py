"""What a user trains, keeps and applies."""
