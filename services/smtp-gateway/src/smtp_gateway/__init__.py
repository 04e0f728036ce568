"""The SMTP service: receives mail from clients and remote hosts and hands it over to the queue."""
