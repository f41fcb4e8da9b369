"""Training and registration: the only part that knows scikit-learn. No pod imports it."""
