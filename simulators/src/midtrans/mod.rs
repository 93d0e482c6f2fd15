//! Midtrans, the payment gateway.
