"""Samtaleklar: a Danish telephone line that makes you ready for the talk.

An employee calls a number, hears plain Danish questions, answers in their own voice, and gets an
e-mail with a written preparation to bring to the talk with their leader.

One way down, checked by ``tests/test_architecture.py``::

    __main__  >  local  >  serving  >  forgetting | statistics | keys  >  staff  >  app | migrations | processes | check | models
      >  telephony | jobs | stuck | invitations | pages | responses | rehearsal | retention | sweep  >  calls
      >  preparations  >  delivery | directory | nonces  >  keyring
      >  queue  >  regular  >  provider | summary | store | bindings | gone | vault | addresses | keyfiles
      >  speech  >  liveness | schema | clock
      >  dialogue  >  content  >  prompts | required  >  tables  >  config  >  environment | templates  >  logs  >  errors

``exchange`` stands beside: a telephone exchange on this machine that obeys TwiML as Twilio does.
"""
