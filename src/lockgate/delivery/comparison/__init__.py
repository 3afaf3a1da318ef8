"""What changes for users between two releases, and why: answers, metric, and what each is made of."""
