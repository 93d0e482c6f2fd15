//! DigitalOcean, the cloud.
