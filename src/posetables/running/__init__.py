"""What a run will cost, how it goes, why a job of it failed, and where its jobs find what they need."""
