"""Several heads behind one proxy: requests reach the head that has their session."""
