"""WHAT COMES BACK: every door makes Submissions; one pipeline matches and records them."""
