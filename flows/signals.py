"""What happens here that a higher floor wants to hear of."""

from django.dispatch import Signal

# Inside the transaction that created them: ``send(sender=Flow, deliveries=[Delivery, …])``.
deliveries_created = Signal()
