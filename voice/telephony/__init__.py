"""Twilio's protocol: webhooks in, TwiML out. Twilio's words live here and in ``provider.py``."""
