"""What inference servers say of themselves: their own counters, stored in buckets, and the charts of them."""
