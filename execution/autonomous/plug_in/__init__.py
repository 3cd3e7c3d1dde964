"""What runs inside supervisord: nothing of supervisord's own code or files is changed."""
