"""How notices leave: signed webhooks, the services that apprise speaks to, and a bound on both."""
